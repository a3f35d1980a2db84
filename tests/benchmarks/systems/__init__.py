"""The other systems and the limits: one programme each, all reading the same topic; `runner` starts and times them."""
