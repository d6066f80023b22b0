namespace Portable;

/// <summary>
/// The root of every error that Portable raises on purpose. An error belongs to a request, a model file or a device,
/// never to the process. The message says what was wrong, where, what was expected and what was found.
/// </summary>
public class PortableException : Exception
{
    /// <summary>Creates the error with its message.</summary>
    public PortableException(string message) : base(message)
    {
    }

    /// <summary>Creates the error with its message and the error that caused it.</summary>
    public PortableException(string message, Exception? innerException) : base(message, innerException)
    {
    }
}
