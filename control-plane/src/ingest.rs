//! The write path: authenticated batches become change sets, and are acknowledged after the commit.
