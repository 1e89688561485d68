//! Laws: what holds for any script.
