//! The status codes of gRPC.

use std::fmt;

/// A status code of a failed gRPC call (grpc.io, "Status codes and their use in gRPC").
///
/// # Examples
/// ```
/// use redress_envelope::GrpcCode;
///
/// assert_eq!(GrpcCode::from_name("unavailable"), Some(GrpcCode::Unavailable));
/// assert_eq!(GrpcCode::from_number(14), Some(GrpcCode::Unavailable));
/// assert_eq!(GrpcCode::Unavailable.to_string(), "UNAVAILABLE");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the specification")]
pub enum GrpcCode {
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl GrpcCode {
    /// All codes but `OK`, in the order of their numbers.
    pub const ALL: [Self; 16] = [
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// Returns the code of a name, whatever its case; `None` for `OK` and for an unknown name.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::GrpcCode;
    ///
    /// assert_eq!(GrpcCode::from_name("Data_Loss"), Some(GrpcCode::DataLoss));
    /// assert_eq!(GrpcCode::from_name("OK"), None);
    /// ```
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str().eq_ignore_ascii_case(name))
    }

    /// Returns the code of a number; `None` for 0, which is `OK`, and for an unknown number.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::GrpcCode;
    ///
    /// assert_eq!(GrpcCode::from_number(16), Some(GrpcCode::Unauthenticated));
    /// assert_eq!(GrpcCode::from_number(17), None);
    /// ```
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as u64 == number)
    }

    /// Returns the name in capitals.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

impl fmt::Display for GrpcCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_to_their_codes() {
        for (code, number) in GrpcCode::ALL.into_iter().zip(1..) {
            assert_eq!(GrpcCode::from_number(number), Some(code));
            assert_eq!(GrpcCode::from_name(code.as_str()), Some(code));
            assert_eq!(code.to_string(), code.as_str());
            assert_eq!(GrpcCode::from_name(&code.as_str().to_lowercase()), Some(code));
        }
        for number in [0, 17, u64::MAX] {
            assert_eq!(GrpcCode::from_number(number), None);
        }
    }
}
