using System.Globalization;
using System.Text.RegularExpressions;

namespace Portable.Checkpoints;

/// <summary>
/// A model split over files PREFIX-00001-of-0000N.gguf, each of which states <c>split.no</c> (from 0) and
/// <c>split.count</c>. Any part opens the whole.
/// </summary>
internal static partial class GgufSplit
{
    private const string CountKey = "split.count";
    private const string NumberKey = "split.no";
    private const string TensorsKey = "split.tensors.count";

    /// <summary>Opens a file, and where it is a part all others, in their order.</summary>
    public static IReadOnlyList<GgufFile> Open(string path)
    {
        var files = new List<GgufFile>();
        GgufFile opened = GgufFile.Open(path);
        try
        {
            Match name = PartName().Match(Path.GetFileName(path));
            bool isPart = opened.Metadata.TryGetInt32(CountKey, out int count);
            if (!isPart || count == 1)
                return [opened];
            if (count == 0 && !name.Success)
            {
                // What a tool writes that has merged the parts of a model.
                return [opened];
            }

            if (count < 1)
                throw new InvalidModelException(path, CountKey, $"found {count} in a file named as a part, expected at least 1");
            if (!name.Success)
                throw new InvalidModelException(path, CountKey, $"found {count}, so the file is a part; its name must end with -00001-of-{count:D5}.gguf or the like, so that the others can be found");
            if (int.Parse(name.Groups[3].ValueSpan, CultureInfo.InvariantCulture) != count)
                throw new InvalidModelException(path, CountKey, $"found {count}, the file's name says {name.Groups[3].Value}");
            int number = CheckPart(opened, count, int.Parse(name.Groups[2].ValueSpan, CultureInfo.InvariantCulture) - 1);

            string folder = Path.GetDirectoryName(path) ?? "";
            for (int i = 0; i < count; i++)
            {
                string part = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{name.Groups[1].Value}-{i + 1:D5}-of-{count:D5}{name.Groups[4].Value}"));
                if (i != number && !File.Exists(part))
                    throw new InvalidModelException(part, null, $"part {i + 1} of {count} is missing; all parts must lie in one folder");
                files.Add(i == number ? opened : GgufFile.Open(part));
                CheckPart(files[i], count, i);
            }

            CheckTotal(files);
            return files;
        }
        catch
        {
            files.ForEach(static file => file.Dispose());
            opened.Dispose();
            throw;
        }
    }

    private static int CheckPart(GgufFile file, int count, int expected)
    {
        int itsCount = file.Metadata.GetInt32(CountKey), number = file.Metadata.GetInt32(NumberKey);
        if (itsCount != count)
            throw new InvalidModelException(file.Path, CountKey, $"found {itsCount}, the other parts say {count}");
        if (number != expected)
            throw new InvalidModelException(file.Path, NumberKey, $"found {number} (of {count}, counted from 0), the file's name says {expected}");
        return number;
    }

    private static void CheckTotal(List<GgufFile> files)
    {
        int found = files.Sum(static file => file.Tensors.Count);
        foreach (GgufFile file in files)
        {
            if (file.Metadata.TryGetInt32(TensorsKey, out int stated) && stated != found)
                throw new InvalidModelException(file.Path, TensorsKey, $"found {stated}, the {files.Count} parts hold {found} tensors");
        }
    }

    [GeneratedRegex(@"^(.*)-([0-9]{5})-of-([0-9]{5})(\.gguf)$", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase | RegexOptions.Singleline)]
    private static partial Regex PartName();
}
