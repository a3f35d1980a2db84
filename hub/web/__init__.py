"""The pages: server-rendered, live by Server-Sent Events, whole without scripts and without a network."""
