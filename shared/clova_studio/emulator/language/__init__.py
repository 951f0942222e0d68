"""The emulated language model: plain rules over words, sentences and schemas."""
