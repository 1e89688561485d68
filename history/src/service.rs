//! The shell of the history service. (in work)
