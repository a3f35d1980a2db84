"""SQL of people: parsed, held to what is allowed, limited, and cut off when nobody waits for it any more."""
