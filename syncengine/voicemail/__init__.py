"""The voice-mail side: the built-in store, sound and the lamp."""
