using System.CommandLine;
using Microsoft.Win32.SafeHandles;
using Portable.Training;
using Portable.Training.World;

var seed = new Option<ulong>("--seed") { Description = "The seed of the world", DefaultValueFactory = _ => 1 };
var folder = new Option<string>("--output", "-o") { Description = "The folder to write", Required = true };
var fonts = new Option<string?>("--fonts") { Description = "The folder that holds dejavu/ and liberation/", Recursive = true };

var from = new Option<long>("--from") { Description = "The first batch" };
var batch = new Option<int>("--batch") { Description = "Pictures in a batch", DefaultValueFactory = _ => 32 };
var curriculum = new Option<long>("--curriculum") { Description = "Batches until the world is as hard as it gets", DefaultValueFactory = _ => 1500 };
var stream = new Command("stream", "Write training batches to standard output until the reader closes it") { seed, from, batch, curriculum };
stream.SetAction(result =>
{
    Fonts.Folder = result.GetValue(fonts) ?? Fonts.Folder;
    using Stream output = StandardOutput();
    var batches = new BatchStream(output);
    try
    {
        batches.WriteHeader();
        for (long index = result.GetValue(from); ; index++)
            batches.WriteTraining(result.GetValue(seed), index, result.GetValue(batch), Level(index, result.GetValue(curriculum)));
    }
    catch (IOException)
    {
        // The training loop has what it wanted.
    }
});

var heldOut = new Command("held-out", "Write the evaluation set as batches to standard output") { seed };
heldOut.SetAction(result =>
{
    Fonts.Folder = result.GetValue(fonts) ?? Fonts.Folder;
    using Stream output = StandardOutput();
    var batches = new BatchStream(output);
    batches.WriteHeader();
    batches.WriteSuite(Suite.Draw(result.GetValue(seed)), 32);
});

var suite = new Command("suite", "Write the evaluation set: images and questions.jsonl") { seed, folder };
suite.SetAction(result =>
{
    Fonts.Folder = result.GetValue(fonts) ?? Fonts.Folder;
    Suite.Write(result.GetValue(folder)!, result.GetValue(seed));
});

var samples = new Command("samples", "Write the sample images") { folder };
samples.SetAction(result =>
{
    Fonts.Folder = result.GetValue(fonts) ?? Fonts.Folder;
    Samples.Write(result.GetValue(folder)!);
});

var vocabulary = new Command("vocabulary", "Write the files of the checkpoint that are not trained: tokenizer, template, preprocessor") { folder };
vocabulary.SetAction(result => Vocabulary.WriteFiles(result.GetValue(folder)!));

var root = new RootCommand("The world that Portable's built-in model is trained on, as batches, as an evaluation set and as sample images") { stream, heldOut, suite, samples, vocabulary };
root.Options.Add(fonts);
return root.Parse(args).Invoke();

static double Level(long index, long curriculum) => index < curriculum ? (double)index / curriculum * Scene.Whole : Scene.Emphasis;

// Not the console's stream: that one swallows the news that its reader is gone. Batches are written whole, and a buffer would tell it once more when closed.
static FileStream StandardOutput() => new(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
