//! Numbers and names of patterns, each valid by construction.

use serde::{Deserialize, Serialize};

/// A number within bounds, and what to write where it is not.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $what:literal, $low:literal to $high:literal, default $default:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "schema", schemars(extend("minimum" = $low, "maximum" = $high)))]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            /// The number.
            pub fn value(self) -> f64 {
                self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $name($default)
            }
        }

        impl TryFrom<f64> for $name {
            type Error = String;

            fn try_from(value: f64) -> Result<Self, String> {
                if ($low..=$high).contains(&value) {
                    Ok($name(value))
                } else {
                    Err(format!(concat!("{} is not ", $what, ": give a number from {} to {}"), value, $low, $high))
                }
            }
        }

        impl From<$name> for f64 {
            fn from(number: $name) -> f64 {
                number.0
            }
        }
    };
}

number!(
    /// A time in seconds: from a millisecond to a week.
    Seconds, "a time in seconds", 0.001 to 604_800.0, default 300.0
);
number!(
    /// So many times as many as usual: from 1.1 to 1,000.
    Factor, "how many times as many as usual", 1.1 to 1_000.0, default 3.0
);
number!(
    /// A share: from 0.1 to 1.
    Share, "a share", 0.1 to 1.0, default 0.8
);
number!(
    /// How regular is regular: a share from 0.001 to 0.5.
    Regularity, "a share of the time between two", 0.001 to 0.5, default 0.1
);
number!(
    /// A surprise, `−log10 p`: from 0.1 to 300.
    Surprise, "a surprise", 0.1 to 300.0, default 6.0
);

impl Seconds {
    pub(super) fn whole(seconds: u32) -> Self {
        Seconds(f64::from(seconds))
    }
}

/// A whole number within bounds.
macro_rules! whole {
    ($(#[$doc:meta])* $name:ident, $what:literal, $low:literal to $high:literal, default $default:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "schema", schemars(try_from = "u32", extend("minimum" = $low, "maximum" = $high)))]
        #[serde(try_from = "f64", into = "u32")]
        pub struct $name(u32);

        impl $name {
            /// The number.
            pub fn value(self) -> u32 {
                self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $name($default)
            }
        }

        /// From any number, so that one that is none of these is told what to be.
        impl TryFrom<f64> for $name {
            type Error = String;

            fn try_from(value: f64) -> Result<Self, String> {
                if (f64::from($low)..=f64::from($high)).contains(&value) && value % 1.0 == 0.0 {
                    Ok($name(value as u32))
                } else {
                    Err(format!(
                        concat!("{} is not ", $what, ": give a whole number from {} to {}"),
                        value, $low, $high
                    ))
                }
            }
        }

        impl From<$name> for u32 {
            fn from(number: $name) -> u32 {
                number.0
            }
        }
    };
}

whole!(
    /// A number of lines: from 1 to 1,000,000.
    Count, "a number of lines", 1_u32 to 1_000_000_u32, default 10
);
whole!(
    /// How often in a row: from 3 to 100.
    Times, "how often in a row", 3_u32 to 100_u32, default 6
);

impl Count {
    pub(super) fn of(count: u32) -> Self {
        Count(count)
    }
}

/// Text within bounds, and what to write where it is not.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $low:literal to $high:literal bytes) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "schema", schemars(extend("minLength" = $low, "maxLength" = $high)))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                if ($low..=$high).contains(&text.len()) {
                    Ok($name(text))
                } else {
                    Err(format!(
                        concat!($what, " has {} bytes: give it from {} to {}"),
                        text.len(), $low, $high
                    ))
                }
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> String {
                text.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }
    };
}

text!(
    /// A name: from 1 to 64 bytes.
    PatternName, "the name", 1_usize to 64_usize bytes
);
text!(
    /// A text for people: at most 300 bytes.
    Words, "the text", 0_usize to 300_usize bytes
);

/// For texts that a program holds; what is too long is cut off.
impl From<&str> for Words {
    fn from(text: &str) -> Self {
        Words(text.get(..text.floor_char_boundary(300)).unwrap_or_default().to_owned())
    }
}
