using System.Text;
using Portable.Decoding.Tokenization;
using Portable.Training;

namespace Portable.Tests;

/// <summary>The vocabulary of the built-in model: frozen, since its ids are rows of trained matrices.</summary>
[TestFixture]
public sealed class VocabularyTests
{
    private static IEnumerable<string> Models() =>
        Directory.Exists(Path.Combine(Fixtures.RepositoryRoot, "models"))
            ? Directory.EnumerateDirectories(Path.Combine(Fixtures.RepositoryRoot, "models")).Where(static d => File.Exists(Path.Combine(d, "tokenizer.json")))
            : [];

    [TestCaseSource(nameof(Models))]
    public void ItIsTheOneThatTheModelWasTrainedWith(string model) =>
        Assert.That(Vocabulary.TokenizerJson() + "\n", Is.EqualTo(File.ReadAllText(Path.Combine(model, "tokenizer.json")).ReplaceLineEndings("\n")));

    [TestCase("What color is the triangle?", 11)]
    [TestCase("Is the red circle left of the blue square?", 14)]
    [TestCase("合计是多少?", 2)]
    [TestCase("红色圆形在蓝色正方形的左边吗?", 9)]
    [TestCase("41.75", 5)]
    [TestCase("COFFEE", 6)]
    public void QuestionsOfTheWorldAreFewTokens(string text, int most)
    {
        Tokenizer tokenizer = Vocabulary.Tokenizer();
        int[] ids = tokenizer.Encode(text);
        Assert.That(ids, Has.Length.LessThanOrEqualTo(most), string.Join(' ', ids.Select(tokenizer.TokenText)));
        Assert.That(tokenizer.Decode(ids), Is.EqualTo(text));
    }

    [Test]
    public void AnyTextHasTokens()
    {
        Tokenizer tokenizer = Vocabulary.Tokenizer();
        string text = "Ωmega, naïve 😀 ünïcode\n\tand tabs 12345 中文以外的字";
        Assert.That(tokenizer.Decode(tokenizer.Encode(text)), Is.EqualTo(text.Normalize(NormalizationForm.FormC)));
    }
}
