//! Typed codes.

/// A type made from a vendor's error code, usually an enum with a variant for each code that a program handles.
///
/// A `match` on it is checked by the compiler: a misspelt code does not compile, and a variant that is added later must
/// be handled. [`ApiError::code_as`](crate::ApiError::code_as) returns it.
///
/// A type with `FromStr`, such as one that derives `strum::EnumString`, needs one line: `code.parse().ok()`.
///
/// # Examples
/// ```
/// use http::{Method, Response, Uri};
/// use redress_classify::{Clock, FromCode, Verdict, dialects};
///
/// #[derive(Debug, PartialEq)]
/// enum Payment {
///     CardDeclined,
///     AccountClosed,
/// }
///
/// impl FromCode for Payment {
///     fn from_code(code: &str) -> Option<Self> {
///         match code {
///             "E-42" => Some(Self::CardDeclined),
///             "E-43" => Some(Self::AccountClosed),
///             _ => None,
///         }
///     }
/// }
///
/// # let (head, ()) = Response::builder().status(402).body(())?.into_parts();
/// # let (uri, body): (_, &[u8]) = (Uri::from_static("/v1/payments"), br#"{"error":{"code":"E-42","message":"declined"}}"#);
/// # let verdict = Verdict::from_response(&dialects::generic(), &Method::POST, &uri, &head, &Clock::system(), &[body]);
/// # let error = verdict.as_ref().and_then(|verdict| verdict.api_error()).expect("an error");
/// // `error` comes from `response.ok_or_api_error()`.
/// let advice = match error.code_as() {
///     Some(Payment::CardDeclined) => "try another card",
///     Some(Payment::AccountClosed) => "contact your bank",
///     None => "try again later",
/// };
/// assert_eq!(advice, "try another card");
/// # Ok::<(), http::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made from an error code",
    note = "implement `FromCode`: return the variant of each code you handle, and `None` for any other code"
)]
pub trait FromCode: Sized {
    /// Returns the value for a code, or `None` for a code that the type does not know.
    ///
    /// The code is the vendor's, byte for byte; a number is given in the digits that stood in the body.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::FromCode;
    ///
    /// #[derive(Debug, PartialEq)]
    /// struct Number(u32);
    ///
    /// impl FromCode for Number {
    ///     fn from_code(code: &str) -> Option<Self> {
    ///         code.parse().ok().map(Self)
    ///     }
    /// }
    /// assert_eq!(Number::from_code("1050"), Some(Number(1050)));
    /// assert_eq!(Number::from_code("E-42"), None);
    /// ```
    fn from_code(code: &str) -> Option<Self>;
}
