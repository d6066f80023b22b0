namespace Portable.Backends.Cpu;

internal sealed unsafe partial class PackedMatrix
{
    /// <summary>Evaluates one row in float32, with the scales and offsets as they are stored.</summary>
    public void ReadRow(int row, float* destination)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Rows);
        PanelShape shape = Shape;
        byte* panel = Panels + (row / PanelShape.Outputs * shape.PanelBytes);
        int output = row % PanelShape.Outputs;
        for (int block = 0; block < shape.Blocks; block++)
        {
            var header = (Half*)(panel + shape.HeaderOffset(block / shape.BlocksPerGroup)) + output;
            byte* codes = panel + shape.BlockOffset(block);
            float scale = MathF.ScaleB((float)header[0], ScaleExponent);
            float second = shape.HeaderBytes == 64
                ? -scale * shape.Zero
                : MathF.ScaleB((float)header[PanelShape.Outputs], ScaleExponent);
            int first = block * PanelShape.BlockInputs, count = Math.Min(PanelShape.BlockInputs, Columns - first);
            for (int k = 0; k < count; k++)
            {
                int code = ScalarPanel.Code(codes, shape.Form, output, k);
                destination[first + k] = PanelShape.IsHalves(shape.Form)
                    ? code * (k < PanelShape.BlockInputs / 2 ? scale : second)
                    : (code * scale) + second;
            }
        }

        GC.KeepAlive(this);
    }
}
