using Portable.Decoding.Tokenization;

namespace Portable.Tests.Decoding.Tokenization;

internal sealed class TokenRegexTests
{
    [TestCase("a|ab", "abab", "a,a")]
    [TestCase("(?:a|ab)(?:c|bcd)", "abcd", "abcd")]
    [TestCase("a+?b", "aaab", "aaab")]
    [TestCase("a{2,3}?", "aaaaa", "aa,aa")]
    [TestCase("a{2,3}", "aaaaa", "aaa,aa")]
    [TestCase("a{,2}b", "aaab", "aab")]
    [TestCase("(?:ab){2,}", "ababababa", "abababab")]
    [TestCase("a++a", "aaa", "")]
    [TestCase("(?>a|ab)c", "abc", "")]
    [TestCase("a*+b", "aaab", "aaab")]
    [TestCase("x{", "x{", "x{")]
    [TestCase(@"\s+(?!\S)", "a   b", "  ")]
    [TestCase("a(?=b)", "abac", "a")]
    [TestCase("(?i:'S|'T)", "it's'ſ'T", "'s,'ſ,'T")]
    [TestCase("(?i)k", "kK\u212A", "k,K,\u212A")]
    [TestCase("[^a-c]", "abcd", "d")]
    [TestCase("[]a]+", "a]b", "a]")]
    [TestCase(@"[\p{L}-]+", "ab-c1", "ab-c")]
    [TestCase(@"[^\s\p{L}\p{N}]+", "a!?1 é…", "!?,…")]
    [TestCase(@"\p{L}+", "漢字𝒳é1", "漢字𝒳é")]
    [TestCase(@"\P{L}", "a1", "1")]
    [TestCase(@"\p{^L}", "a1", "1")]
    [TestCase(@"\p{Han}+", "漢𠮷かな", "漢𠮷")]
    [TestCase(".", "𝒳\na", "𝒳,a")]
    [TestCase(@"^a$", "a\nb\na", "a,a")]
    [TestCase(@"\Aa", "aa", "a")]
    [TestCase(@"\bfoo\b", "foo foobar", "foo")]
    [TestCase(@"\x41\x{1d4b3}\u0042", "A𝒳B", "A𝒳B")]
    [TestCase(@"[\x41-\x{43}]+", "ABCD", "ABC")]
    [TestCase("", "a", "")]
    public void Matches_are_those_of_Oniguruma(string pattern, string text, string expected)
    {
        var found = new List<string>();
        var matches = new TextPattern(new TokenRegex(pattern)).Matches(text);
        while (matches.MoveNext())
        {
            if (matches.End > matches.Start)
                found.Add(text[matches.Start..matches.End]);
        }

        Assert.That(string.Join(',', found), Is.EqualTo(expected));
    }
}
