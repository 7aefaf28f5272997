"""The tests of syncengine; see ``tests/support`` for the servers they run on."""
