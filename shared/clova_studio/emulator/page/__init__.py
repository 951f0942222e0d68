"""The emulator's page for people: plain files, and the events that keep it up to date."""
