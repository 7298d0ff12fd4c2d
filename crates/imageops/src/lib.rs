//! Pixel arithmetic: decode, resize, augmentation operators, RandAugment, and the counter-based random numbers behind them.
