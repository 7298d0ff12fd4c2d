//! The stream: timely operators from records to trained models and back.
