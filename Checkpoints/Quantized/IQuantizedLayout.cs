namespace Portable.Checkpoints;

/// <summary>How one quantisation method stores a module in safetensors files.</summary>
internal interface IQuantizedLayout
{
    /// <summary>Checks the module's tensors against each other and the config, and says what <see cref="Read"/> gives.</summary>
    MatrixInfo Describe(SafetensorsCheckpoint checkpoint, string module);

    /// <summary>Reads the module.</summary>
    WeightMatrix Read(SafetensorsCheckpoint checkpoint, string module);
}
