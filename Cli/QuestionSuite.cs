using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Portable.Checkpoints;

namespace Portable.Cli;

/// <summary>A question of a suite, with its only right answer.</summary>
internal sealed record SuiteQuestion(string Id, string Image, string Category, string Language, string Question, string Answer);

/// <summary>
/// A set of questions about images: a folder with <c>questions.jsonl</c>, an object a line (id, image, category, language, question, answer), and the
/// image files that it names, relative to the folder and inside it.
/// </summary>
internal sealed partial class QuestionSuite
{
    private const string FileName = "questions.jsonl";
    private const long MostBytes = 256 << 20;
    private const int MostLineChars = 64 << 10;

    private QuestionSuite(string folder, IReadOnlyList<SuiteQuestion> questions)
    {
        Folder = folder;
        Questions = questions;
    }

    public string Folder { get; }

    public string Name => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(Folder)));

    public IReadOnlyList<SuiteQuestion> Questions { get; }

    public string ImagePath(SuiteQuestion question) => Path.Combine(Folder, question.Image);

    /// <summary>Opens a suite: a folder, or the name of one under <c>evals</c> here or above this program.</summary>
    public static QuestionSuite Open(string name)
    {
        string? folder = Directory.Exists(name) ? name : null;
        if (folder is null && ModelFolder.IsPlainName(name))
        {
            for (DirectoryInfo? at = new(Environment.CurrentDirectory); at is not null && folder is null; at = at.Parent)
                folder = Directory.Exists(Path.Combine(at.FullName, "evals", name)) ? Path.Combine(at.FullName, "evals", name) : null;
            folder ??= BuiltInModel.Find(Path.Combine("evals", name));
        }

        if (folder is null)
            throw new InvalidInputException($"suite {name}", $"there is no such folder, nor evals/{name} here or above; a suite is a folder with {FileName} and images");
        string file = Path.Combine(folder, FileName);
        if (!File.Exists(file))
            throw new InvalidInputException(folder, $"it has no {FileName}; a suite is a folder with that file and images");
        long bytes = FileLength.Of(file);
        if (bytes > MostBytes)
            throw new InvalidInputException(file, string.Create(CultureInfo.InvariantCulture, $"it has {bytes} bytes, at most {MostBytes} are read"));
        var questions = new List<SuiteQuestion>();
        int number = 0;
        foreach (string line in File.ReadLines(file))
        {
            number++;
            if (line.Length > MostLineChars)
                throw Broken(file, number, $"the line has {line.Length} characters, at most {MostLineChars} are read");
            if (!string.IsNullOrWhiteSpace(line))
                questions.Add(Read(file, number, line));
        }

        return questions.Count > 0 ? new QuestionSuite(folder, questions) : throw new InvalidInputException(file, "it has no questions");
    }

    private static SuiteQuestion Read(string file, int number, string line)
    {
        SuiteQuestion? question;
        try
        {
            question = JsonSerializer.Deserialize(line, SuiteJson.Default.SuiteQuestion);
        }
        catch (JsonException error)
        {
            throw Broken(file, number, $"it is not a question: {error.Message.TrimEnd('.')}");
        }

        if (question is null)
            throw Broken(file, number, "it is null, expected an object");
        string? missing = question.Image is null ? "image" : question.Category is null ? "category" : question.Language is null ? "language"
            : question.Question is null ? "question" : question.Answer is null ? "answer" : null;
        if (missing is not null)
            throw Broken(file, number, $"it has no {missing}; expected id, image, category, language, question and answer");
        if (question.Image!.Split('/', '\\').Any(static part => !ModelFolder.IsPlainName(part)))
            throw Broken(file, number, $"the image '{CommandOptions.Shorten(question.Image)}' is not a path inside the suite");
        return question;
    }

    private static InvalidInputException Broken(string file, int line, string problem) =>
        new(file, string.Create(CultureInfo.InvariantCulture, $"line {line}: {problem}"));

    [JsonSerializable(typeof(SuiteQuestion))]
    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
    private sealed partial class SuiteJson : JsonSerializerContext;
}
