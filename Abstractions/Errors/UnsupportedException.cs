namespace Portable;

/// <summary>
/// Something sound that this build, device or model does not support: an architecture, an element type, an operator
/// on a device, a request option.
/// </summary>
public sealed class UnsupportedException : PortableException
{
    /// <summary>Creates the error.</summary>
    /// <param name="feature">What is not supported: an operator, a format, an option.</param>
    /// <param name="reason">Why, and what is offered instead, as one sentence without a final full stop.</param>
    public UnsupportedException(string feature, string reason)
        : base($"{ErrorText.Cut(feature, 2 * ErrorText.MostOfName)} is not supported: {ErrorText.Cut(reason, ErrorText.MostOfProblem)}.")
    {
        Feature = feature;
        Reason = reason;
    }

    /// <summary>What is not supported.</summary>
    public string Feature { get; }

    /// <summary>Why, and what is offered instead.</summary>
    public string Reason { get; }
}
