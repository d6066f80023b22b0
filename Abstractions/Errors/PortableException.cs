namespace Portable;

/// <summary>
/// The root of every error that Portable raises on purpose. An error belongs to a request, a model file or a device,
/// never to the process. The message says what was wrong, where, what was expected and what was found, on one line: what
/// untrusted files and requests put into it is cut where it is long, and cannot drive a terminal.
/// </summary>
public class PortableException : Exception
{
    /// <summary>Creates the error with its message.</summary>
    public PortableException(string message) : base(ErrorText.Printable(message))
    {
    }

    /// <summary>Creates the error with its message and the error that caused it.</summary>
    public PortableException(string message, Exception? innerException) : base(ErrorText.Printable(message), innerException)
    {
    }
}
