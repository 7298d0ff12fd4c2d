//! RandAugment.
