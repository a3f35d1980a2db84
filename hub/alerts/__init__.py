"""Alerts: what a rule finds of KPIs and data sets, who is told, and what became of it."""
