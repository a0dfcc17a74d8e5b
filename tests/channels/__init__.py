"""Tests of the channels; a package, so that its files may be named like others."""
