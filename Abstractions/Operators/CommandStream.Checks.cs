using System.Runtime.CompilerServices;

namespace Portable;

public abstract partial class CommandStream
{
    private static void Require(
        bool condition, string argument, [InterpolatedStringHandlerArgument(nameof(condition))] ref CheckMessage message,
        [CallerMemberName] string @operator = "")
    {
        if (!condition)
            throw new ArgumentException($"{@operator}: {message.Text}", argument);
    }

    private static void Require(bool condition, string argument, string message, [CallerMemberName] string @operator = "")
    {
        if (!condition)
            throw new ArgumentException($"{@operator}: {message}", argument);
    }

    private static void CheckVector(TensorView? vector, int columns, string argument, [CallerMemberName] string @operator = "")
    {
        if (vector is not { } view)
            return;
        if (view.Type != ElementType.Float32 || view.Rows != 1 || view.Columns != columns || view.Buffer.IsDisposed)
            throw new ArgumentException($"{@operator}: expected live float32 [1, {columns}], found {Describe(view)}", argument);
    }

    private static void CheckIndices(TensorView view, int columns, string argument, [CallerMemberName] string @operator = "")
    {
        if (view.Type != ElementType.Int32 || view.Rows != 1 || view.Columns != columns || view.Buffer.IsDisposed)
            throw new ArgumentException($"{@operator}: expected live int32 [1, {columns}], found {Describe(view)}", argument);
    }

    private static void CheckLayer(KvCache cache, int layer, [CallerMemberName] string @operator = "")
    {
        if ((uint)layer >= (uint)cache.Layout.Layers)
            throw new ArgumentOutOfRangeException(nameof(layer), $"{@operator}: layer {layer} of {cache.Layout.Layers}");
    }

    private static void CheckLive(TensorView view, string argument, [CallerMemberName] string @operator = "")
    {
        if (view.Buffer is null)
            throw new ArgumentException($"{@operator}: the view has no buffer", argument);
        ObjectDisposedException.ThrowIf(view.Buffer.IsDisposed, view.Buffer);
    }

    private void CheckActivation(TensorView view, string argument, [CallerMemberName] string @operator = "")
    {
        CheckLive(view, argument, @operator);
        if (view.Type != Device.Capabilities.ActivationType)
            throw new ArgumentException($"{@operator}: expected {Device.Capabilities.ActivationType} activations, found {Describe(view)}", argument);
    }

    private void CheckHeads(TensorView view, int columns, string argument, [CallerMemberName] string @operator = "")
    {
        CheckActivation(view, argument, @operator);
        if (view.Columns != columns)
            throw new ArgumentException($"{@operator}: expected {columns} columns of heads, found {Describe(view)}", argument);
    }

    private void CheckPair(TensorView input, TensorView output, [CallerMemberName] string @operator = "")
    {
        CheckActivation(input, nameof(input), @operator);
        CheckActivation(output, nameof(output), @operator);
        if (input.Rows != output.Rows || input.Columns != output.Columns)
            throw new ArgumentException($"{@operator}: {Describe(input)} and {Describe(output)} differ in shape", nameof(output));
    }

    private void CheckElementwise(TensorView input, TensorView output, string argument, [CallerMemberName] string @operator = "")
    {
        CheckLive(input, argument, @operator);
        CheckLive(output, nameof(output), @operator);
        if (input.Rows != output.Rows || input.Columns != output.Columns || input.Type != output.Type
            || (input.Type != ElementType.Float32 && input.Type != Device.Capabilities.ActivationType))
            throw new ArgumentException($"{@operator}: {Describe(input)} and {Describe(output)} differ, or are neither activations nor float32", argument);
    }

    private static void CheckBroadcast(TensorView b, TensorView output, string argument, [CallerMemberName] string @operator = "")
    {
        CheckLive(b, argument, @operator);
        if ((b.Rows != 1 && b.Rows != output.Rows) || b.Columns != output.Columns || b.Type != output.Type)
            throw new ArgumentException($"{@operator}: {Describe(b)} cannot be combined with {Describe(output)}", argument);
    }

    private static void CheckAngles(TensorView angles, int tokens, int headSize, [CallerMemberName] string @operator = "")
    {
        CheckLive(angles, nameof(angles), @operator);
        if (angles.Type != ElementType.Float32 || angles.Rows != tokens || angles.Columns > headSize || angles.Columns % 2 != 0)
            throw new ArgumentException($"{@operator}: expected float32 angles [{tokens}, <= {headSize}], found {Describe(angles)}", nameof(angles));
    }

    /// <summary>Builds a message only when a check failed, so that a passing check allocates nothing.</summary>
    [InterpolatedStringHandler]
    private ref struct CheckMessage
    {
        private DefaultInterpolatedStringHandler _text;

        public CheckMessage(int literalLength, int formattedCount, bool condition, out bool enabled)
        {
            enabled = !condition;
            if (enabled)
                _text = new DefaultInterpolatedStringHandler(literalLength, formattedCount);
        }

        public string Text => _text.ToStringAndClear();

        public void AppendLiteral(string value) => _text.AppendLiteral(value);

        public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);
    }
}
