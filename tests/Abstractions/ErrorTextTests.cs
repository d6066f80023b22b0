namespace Portable.Tests;

public sealed class ErrorTextTests
{
    [Test]
    public void No_error_carries_control_characters_whatever_part_of_it_came_from_a_file()
    {
        const string hostile = "a\u001b[31m\r\nportable: ok\u0085\u202Eb\u2028\0\uD800c";
        PortableException[] errors =
        [
            new InvalidModelException(hostile, hostile, hostile), new InvalidInputException(hostile, hostile), new UnsupportedException(hostile, hostile),
            new DeviceException(hostile, hostile, hostile, isDeviceLost: false), new PortableException(hostile),
        ];
        foreach (PortableException error in errors)
        {
            Assert.That(error.Message.Any(c => char.IsControl(c) || char.IsSurrogate(c) || c is '\u202E' or '\u2028'), Is.False, error.Message);
            Assert.That(error.Message, Does.Contain("a\uFFFD[31m  portable: ok\uFFFD\uFFFDb \uFFFD\uFFFDc"));
        }
    }

    [Test]
    public void Whole_surrogate_pairs_and_letters_of_any_script_stay_as_they_are() =>
        Assert.That(new InvalidInputException("图像 🖼️", "é שלום").Message, Is.EqualTo("图像 🖼️: é שלום."));

    [Test]
    public void A_long_path_keeps_its_file_name()
    {
        string path = "/" + string.Concat(Enumerable.Repeat("folder/", 1000)) + "model-00001-of-00002.safetensors";
        string message = new InvalidModelException(path, new string('t', 5000), "truncated").Message;
        Assert.That(message, Does.StartWith("/folder/").And.Contain("…").And.Contain("model-00001-of-00002.safetensors: t").And.EndWith("t: truncated."));
        Assert.That(message, Has.Length.LessThan(600));
    }

    [Test]
    public void No_message_is_longer_than_a_screen_and_what_to_do_at_its_end_stays()
    {
        string endless = new('x', 1_000_000);
        Assert.That(new UnsupportedException(endless, endless + "; convert it").Message, Has.Length.LessThan(2000).And.EndsWith("; convert it."));
        Assert.That(new InvalidModelException(endless, endless, endless).Message, Has.Length.LessThan(2000));
        Assert.That(new PortableException(endless).Message, Has.Length.AtMost(2000));
    }

    [Test]
    public void A_cut_never_halves_a_surrogate_pair([Range(7, 14)] int most)
    {
        string cut = ErrorText.Cut(string.Concat(Enumerable.Repeat("🖼", 20)), most);
        Assert.That(cut.Length, Is.AtMost(most));
        Assert.That(ErrorText.Printable(cut), Is.EqualTo(cut));
    }
}
