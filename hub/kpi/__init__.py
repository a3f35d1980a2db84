"""KPIs: from a declaration and a period to an answer that says what it rests on."""
