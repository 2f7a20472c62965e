"""Tests with real servers, each started on 127.0.0.1 in a temporary folder and stopped by the test that owns it."""
