//! Which instructions the CPU has. Every path gives the same bits; they differ in speed alone.

/// Sets of instructions that some ops are written for, each including the ones before it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// What every CPU of the architecture has.
    Plain,
    /// x86-64 with AVX2 (2013).
    Avx2,
    /// x86-64 with AVX-512 and its byte permutations, VBMI (2019).
    Vbmi,
}

/// The best level of this CPU.
#[cfg(target_arch = "x86_64")]
fn detect() -> Level {
    if !std::arch::is_x86_feature_detected!("avx2") {
        return Level::Plain;
    }
    let wide = std::arch::is_x86_feature_detected!("avx512bw") && std::arch::is_x86_feature_detected!("avx512vbmi");
    if wide { Level::Vbmi } else { Level::Avx2 }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Level {
    Level::Plain
}

/// The level to run at.
#[cfg(not(test))]
pub(crate) fn level() -> Level {
    detect()
}

#[cfg(test)]
thread_local! {
    static MOST: std::cell::Cell<Level> = const { std::cell::Cell::new(Level::Vbmi) };
}

/// The level to run at: tests may hold it down.
#[cfg(test)]
pub(crate) fn level() -> Level {
    detect().min(MOST.get())
}

/// Runs `body` without instructions above `most`.
#[cfg(test)]
pub(crate) fn at_most<T>(most: Level, body: impl FnOnce() -> T) -> T {
    let before = MOST.replace(most);
    let result = body();
    MOST.set(before);
    result
}

/// Compiles a function twice, for every CPU and for those with AVX2, and picks when it is called. The compiler's own
/// vectorising does the rest; it never reorders floats, so both give the same bits.
macro_rules! vectorized {
    ($(#[$attribute:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$attribute])*
        $vis fn $name($($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain($($arg: $type),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn wide($($arg: $type),*) $(-> $result)? {
                    plain($($arg),*)
                }
                if $crate::op::simd::level() >= $crate::op::simd::Level::Avx2 {
                    // SAFETY: the CPU has AVX2.
                    #[allow(unsafe_code)]
                    return unsafe { wide($($arg),*) };
                }
            }
            plain($($arg),*)
        }
    };
}

pub(crate) use vectorized;
