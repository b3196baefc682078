//! The benchmarks' guests are the examples of this package.
