"""Draws the page of a run: `report.html`, one file to look at and pass on."""
