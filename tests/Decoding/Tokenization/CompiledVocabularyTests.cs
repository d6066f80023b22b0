using Portable.Decoding.Tokenization;
using static Portable.Tests.Decoding.Tokenization.TokenizerFixtures;

namespace Portable.Tests.Decoding.Tokenization;

/// <summary>The form in which an engine file holds a vocabulary: the same ids for every text, and a typed error for bytes that contradict themselves.</summary>
internal sealed class CompiledVocabularyTests
{
    private static IEnumerable<TestCaseData> Files()
    {
        if (Folder is null)
            return [Fixtures.Absent("tokenizers")];
        return [.. Directory.GetDirectories(Folder).Order(StringComparer.Ordinal).Select(f => Path.Combine(f, "tokenizer.json")).Where(f => File.Exists(f) || File.Exists(f + ".gz"))
            .Select(f => new TestCaseData(f).SetName($"compiled, {Path.GetFileName(Path.GetDirectoryName(f))}"))];
    }

    [TestCaseSource(nameof(Files))]
    [Category("Golden")]
    public void A_compiled_vocabulary_gives_the_same_ids(string file)
    {
        byte[] json = Fixtures.Bytes(file);
        Tokenizer wanted = Tokenizer.FromJson(json, file);
        if (CompiledVocabulary.Write(wanted.Parts) is not { } compiled)
        {
            Assert.That(wanted.Parts.Model, Is.Not.InstanceOf<BytePairModel>());
            return;
        }

        byte[] rest = TokenizerJson.WithoutVocabulary(json);
        Assert.That(rest, Has.Length.LessThan(json.Length));
        Tokenizer found = TokenizerJson.Read(rest, file, CompiledVocabulary.Read(compiled, file));
        Assert.That(found.VocabularySize, Is.EqualTo(wanted.VocabularySize));
        Assert.That(CompiledVocabulary.Write(found.Parts), Is.EqualTo(compiled), "written again");
        foreach (string text in Corpus)
        {
            Assert.That(found.Encode(text), Is.EqualTo(wanted.Encode(text)), text);
            Assert.That(found.Decode(wanted.Encode(text)), Is.EqualTo(wanted.Decode(wanted.Encode(text))), text);
        }
    }

    [Test]
    public void Damaged_bytes_are_a_typed_error_or_sound()
    {
        byte[] sound = CompiledVocabulary.Write(TinyTokenizer.Load(TinyTokenizer.Json()).Parts)!;
        for (int length = 0; length < sound.Length; length++)
            Assert.Throws<InvalidModelException>(() => CompiledVocabulary.Read(sound.AsSpan(0, length), "f"), $"{length} bytes");
        var random = new Random(3);
        for (int i = 0; i < 5000; i++)
        {
            byte[] damaged = [.. sound];
            damaged[random.Next(sound.Length)] ^= (byte)(1 << random.Next(8));
            try
            {
                CompiledVocabulary.Read(damaged, "f");
            }
            catch (InvalidModelException error)
            {
                Assert.That(error.Message, Does.Contain("tokenizer.compiled"));
            }
        }
    }
}
