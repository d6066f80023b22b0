namespace Portable;

/// <summary>A request's own input cannot be used: an image, a prompt, an option value. The engine is unharmed.</summary>
public sealed class InvalidInputException : PortableException
{
    /// <summary>Creates the error.</summary>
    /// <param name="input">Which input: "image 2", "option Temperature", a file name.</param>
    /// <param name="problem">What was found and what was expected, as one sentence without a final full stop.</param>
    /// <param name="innerException">The error that revealed it, if any.</param>
    public InvalidInputException(string input, string problem, Exception? innerException = null)
        : base($"{ErrorText.Cut(input, ErrorText.MostOfName)}: {ErrorText.Cut(problem, ErrorText.MostOfProblem)}.", innerException)
    {
        Input = input;
        Problem = problem;
    }

    /// <summary>Which input.</summary>
    public string Input { get; }

    /// <summary>What was found and what was expected.</summary>
    public string Problem { get; }
}
