"""Who gets in: API keys, one-time sign-in links, sessions, and what each role may do."""
