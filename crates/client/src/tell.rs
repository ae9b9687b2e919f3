//! What the client says about itself, to `log` or `defmt` (features of these names) or to nobody: how it fares, never what
//! it carries, and no secrets. Without either feature nothing is left of it.

/// `tell!(level, "text {}", argument...)`: arguments are numbers, or implement both `Display` and `defmt::Format`.
macro_rules! tell {
    ($level:ident, $text:literal $(, $argument:expr)*) => {{
        #[cfg(feature = "log")]
        log::$level!($text $(, $argument)*);
        #[cfg(feature = "defmt")]
        defmt::$level!($text $(, $argument)*);
        #[cfg(not(any(feature = "log", feature = "defmt")))]
        if false {
            $(let _unused = &$argument;)*
        }
    }};
}

pub(crate) use tell;

#[cfg(feature = "defmt")]
mod format {
    use core::fmt::Display;

    use defmt::{Display2Format, Format, Formatter};

    use crate::protected::ProtectError;
    use crate::{Disconnect, Error, SaveError, SecurityError, TokenError};

    /// As their `Display` says it: no text stands in two places.
    macro_rules! as_displayed {
        ($($name:ident),*; $($of:ident<E>),*) => {
            $(impl Format for $name {
                fn format(&self, f: Formatter<'_>) {
                    defmt::write!(f, "{}", Display2Format(self));
                }
            })*
            $(impl<E: Display> Format for $of<E> {
                fn format(&self, f: Formatter<'_>) {
                    defmt::write!(f, "{}", Display2Format(self));
                }
            })*
        };
    }

    as_displayed!(Disconnect, SecurityError; Error<E>, TokenError<E>, SaveError<E>, ProtectError<E>);
}
