"""The emulated model: plain rules over words, sentences and schemas."""
