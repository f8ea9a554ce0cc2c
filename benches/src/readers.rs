//! Ways to read a body, each as a careful user of it would, and what they have to find in an error.

pub mod ignored;
pub mod redress;
pub mod serde_borrowed;
pub mod serde_value;
pub mod simd;
pub mod sonic;

mod vendor;

pub use vendor::Vendor;

/// The facts that every reader must find in a vendor's error.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// The code, verbatim.
    pub code: Option<&'static str>,
    /// The code, where it is a number.
    pub number: Option<u64>,
    /// The sentence for people.
    pub message: &'static str,
}

/// The facts that a reader found in an error, in a form that all readers share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The vendor's code; a number in its digits.
    pub code: Option<String>,
    /// The sentence for people.
    pub message: Option<String>,
    /// The vendor's name for the call.
    pub request_id: Option<String>,
    /// A finer code.
    pub reason: Option<String>,
    /// The fields that are at fault, each with what is wrong.
    pub fields: Vec<(String, String)>,
    /// The wait that the body asks for, in seconds.
    pub retry_after: Option<u64>,
}

/// The facts that a reader found in an error, in the reader's own form.
trait Found {
    /// Whether the code and the message are those expected.
    fn says(&self, expected: &Expected) -> bool;

    /// Copies all of it.
    fn answer(&self) -> Answer;
}
