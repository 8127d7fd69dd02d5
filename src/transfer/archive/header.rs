//! The 512 bytes before each entry of a tar archive.
