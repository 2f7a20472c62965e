"""The provider track: peer-relative payment risk with an ownership graph."""
