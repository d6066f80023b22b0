namespace Portable;

/// <summary>A model file or folder is broken, contradicts itself, or is not what its name says.</summary>
public sealed class InvalidModelException : PortableException
{
    /// <summary>Creates the error.</summary>
    /// <param name="file">The file or folder, as the caller named it.</param>
    /// <param name="where">The tensor, metadata key or field at fault; null when the file as a whole is meant.</param>
    /// <param name="problem">What was found and what was expected, as one sentence without a final full stop.</param>
    /// <param name="innerException">The error that revealed it, if any.</param>
    public InvalidModelException(string file, string? where, string problem, Exception? innerException = null)
        : base(Format(file, where, problem), innerException)
    {
        File = file;
        Where = where;
        Problem = problem;
    }

    /// <summary>The file or folder at fault.</summary>
    public string File { get; }

    /// <summary>The tensor, metadata key or field at fault, or null.</summary>
    public string? Where { get; }

    /// <summary>What was found and what was expected.</summary>
    public string Problem { get; }

    private static string Format(string file, string? where, string problem)
    {
        file = ErrorText.Cut(file, ErrorText.MostOfName);
        problem = ErrorText.Cut(problem, ErrorText.MostOfProblem);
        return where is null ? $"{file}: {problem}." : $"{file}: {ErrorText.Cut(where, ErrorText.MostOfName)}: {problem}.";
    }
}
