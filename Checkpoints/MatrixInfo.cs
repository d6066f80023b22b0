namespace Portable.Checkpoints;

/// <summary>What <see cref="Checkpoint.ReadMatrix(string)"/> will give for a module, known without reading its data.</summary>
/// <param name="Module">The module, as asked for.</param>
/// <param name="Rows">Outputs N.</param>
/// <param name="Columns">Inputs K.</param>
/// <param name="Format">The canonical format.</param>
/// <param name="HasGroupIndex">Whether groups are not neighbours (act-order).</param>
/// <param name="TensorName">The tensor that holds the codes.</param>
public readonly record struct MatrixInfo(
    string Module, int Rows, int Columns, WeightFormat Format, bool HasGroupIndex, string TensorName);
