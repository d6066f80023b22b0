namespace Portable;

public abstract partial class CommandStream
{
    /// <summary>
    /// output[t] = table[ids[t]] * scale. Ids must be inside the table: devices may check (a CPU does), and clamp or fail.
    /// </summary>
    /// <param name="ids">int32 [1, tokens].</param>
    /// <param name="table">[vocabulary, width].</param>
    /// <param name="output">[tokens, width], activation type.</param>
    /// <param name="scale">Multiplies every value.</param>
    public void Embed(TensorView ids, DeviceWeight table, TensorView output, float scale = 1)
    {
        CheckIndices(ids, output.Rows, nameof(ids));
        CheckActivation(output, nameof(output));
        Require(table.Columns == output.Columns && table.Experts == 1, nameof(table), $"width {table.Columns} for {Describe(output)}");
        if (output.Rows > 0)
            OnEmbed(ids, table, output, scale);
    }

    /// <summary>
    /// output = input W^T + bias, or added to output. With expert groups, rows of each group go through their expert.
    /// </summary>
    /// <param name="input">[tokens, K], activation type.</param>
    /// <param name="weight">[N, K], or experts of that shape.</param>
    /// <param name="output">[tokens, N], activation type or float32.</param>
    /// <param name="bias">float32 [1, N], or null.</param>
    /// <param name="accumulate">Whether the result is added to what output holds (a residual).</param>
    /// <param name="experts">Groups of rows, when the weight holds experts.</param>
    public void Linear(
        TensorView input, DeviceWeight weight, TensorView output, TensorView? bias = null, bool accumulate = false, ExpertGroups? experts = null)
    {
        CheckActivation(input, nameof(input));
        CheckLive(output, nameof(output));
        Require(output.Type == ElementType.Float32 || output.Type == Device.Capabilities.ActivationType, nameof(output), "activation type or float32");
        Require(
            weight.Columns == input.Columns && weight.Rows == output.Columns && input.Rows == output.Rows,
            nameof(weight), $"W [{weight.Rows}, {weight.Columns}] with input {Describe(input)} and output {Describe(output)}");
        Require((weight.Experts > 1) == experts.HasValue, nameof(experts), "expert groups belong to expert weights");
        CheckVector(bias, weight.Rows, nameof(bias));
        if (experts is { } groups)
            CheckIndices(groups.Offsets, weight.Experts + 1, nameof(experts));
        if (input.Rows > 0)
            OnLinear(input, weight, output, bias, accumulate, experts);
    }

    /// <summary>
    /// y = x / sqrt(mean(x^2) + epsilon) * weight, over each row or each group of a row. With a residual, x is first
    /// added to it and the sum, written back to the residual, is normalised. Source: Zhang and Sennrich 2019.
    /// </summary>
    /// <param name="input">[tokens, width], activation type.</param>
    /// <param name="weight">float32 [1, group].</param>
    /// <param name="output">[tokens, width], activation type; may be the input.</param>
    /// <param name="epsilon">Added to the mean.</param>
    /// <param name="residual">[tokens, width], activation type, or null. Needs groups of whole rows.</param>
    public void RmsNorm(TensorView input, TensorView weight, TensorView output, float epsilon, TensorView? residual = null)
    {
        CheckPair(input, output);
        Require(weight.Columns > 0 && input.Columns % weight.Columns == 0, nameof(weight), $"groups of {weight.Columns} in rows of {input.Columns}");
        CheckVector(weight, weight.Columns, nameof(weight));
        if (residual is { } sum)
        {
            CheckPair(input, sum);
            Require(weight.Columns == input.Columns, nameof(residual), "a residual needs groups of whole rows");
        }

        if (input.Rows > 0)
            OnRmsNorm(input, weight, output, epsilon, residual);
    }

    /// <summary>y = (x - mean) / sqrt(variance + epsilon) * weight + bias over each row. Source: Ba et al. 2016.</summary>
    /// <param name="input">[tokens, width], activation type.</param>
    /// <param name="weight">float32 [1, width].</param>
    /// <param name="bias">float32 [1, width], or null.</param>
    /// <param name="output">[tokens, width], activation type; may be the input.</param>
    /// <param name="epsilon">Added to the variance.</param>
    public void LayerNorm(TensorView input, TensorView weight, TensorView? bias, TensorView output, float epsilon)
    {
        CheckPair(input, output);
        CheckVector(weight, input.Columns, nameof(weight));
        CheckVector(bias, input.Columns, nameof(bias));
        if (input.Rows > 0)
            OnLayerNorm(input, weight, bias, output, epsilon);
    }

    /// <summary>
    /// Cosines, then sines, of positions times inverse frequencies, in float32:
    /// angles[t, j] = scale * cos(positions[axis[j], t] * inverse[j]), angles[t, half + j] the sine.
    /// </summary>
    /// <param name="positions">int32 [axes, tokens].</param>
    /// <param name="frequencies">The frequencies and the axis of each.</param>
    /// <param name="angles">float32 [tokens, 2 * half].</param>
    public void RopeAngles(TensorView positions, RopeFrequencies frequencies, TensorView angles)
    {
        CheckLive(positions, nameof(positions));
        Require(positions.Type == ElementType.Int32 && positions.Columns == angles.Rows, nameof(positions), $"int32 [axes, {angles.Rows}]");
        int half = frequencies.InverseFrequencies.Columns;
        CheckVector(frequencies.InverseFrequencies, half, nameof(frequencies));
        CheckIndices(frequencies.Axes, half, nameof(frequencies));
        CheckLive(angles, nameof(angles));
        Require(angles.Type == ElementType.Float32 && angles.Columns == 2 * half, nameof(angles), $"float32 [tokens, {2 * half}]");
        if (angles.Rows > 0)
            OnRopeAngles(positions, frequencies, angles);
    }

    /// <summary>
    /// Rotates the first 2 * half elements of each head in place: a' = a cos - b sin, b' = b cos + a sin.
    /// Source: Su et al. 2021.
    /// </summary>
    /// <param name="heads">[tokens, heads * head size], activation type.</param>
    /// <param name="headSize">Elements of a head, at least 2 * half.</param>
    /// <param name="rope">Angles of the same tokens, and the style.</param>
    public void Rope(TensorView heads, int headSize, RopeArguments rope)
    {
        CheckActivation(heads, nameof(heads));
        Require(headSize > 0 && heads.Columns % headSize == 0, nameof(headSize), $"heads of {headSize} in {Describe(heads)}");
        CheckAngles(rope.Angles, heads.Rows, headSize);
        if (heads.Rows > 0)
            OnRope(heads, headSize, rope);
    }

    /// <summary>Stores keys and values of a layer at their slots.</summary>
    /// <param name="keys">[tokens, key heads * key size], activation type.</param>
    /// <param name="values">[tokens, key heads * value size], activation type.</param>
    /// <param name="cache">The cache.</param>
    /// <param name="layer">The layer in the cache.</param>
    /// <param name="slots">int32 [1, tokens]: page * page size + place; a negative slot is skipped (padding).</param>
    public void KvWrite(TensorView keys, TensorView values, KvCache cache, int layer, TensorView slots)
    {
        CheckActivation(keys, nameof(keys));
        CheckActivation(values, nameof(values));
        KvCacheLayout layout = cache.Layout;
        CheckLayer(cache, layer);
        Require(
            keys.Columns == layout.KeyHeads * layout.KeySize && values.Columns == layout.KeyHeads * layout.ValueSize && keys.Rows == values.Rows,
            nameof(keys), $"keys {Describe(keys)} and values {Describe(values)} for {layout}");
        CheckIndices(slots, keys.Rows, nameof(slots));
        if (keys.Rows > 0)
            OnKvWrite(keys, values, cache, layer, slots);
    }

    /// <summary>
    /// output = softmax(scale * q k^T) v for each query over the keys that it sees in the pages of its sequence: those
    /// up to its own position, inside the window, and to the end of its bidirectional span.
    /// </summary>
    /// <param name="query">[tokens, query heads * head size], activation type.</param>
    /// <param name="cache">The cache; keys of this step must have been written.</param>
    /// <param name="layer">The layer in the cache.</param>
    /// <param name="batch">Sequences and their pages.</param>
    /// <param name="attention">Heads and form.</param>
    /// <param name="output">[tokens, query heads * value size], activation type.</param>
    public void PagedAttention(
        TensorView query, KvCache cache, int layer, in PagedBatch batch, in AttentionParameters attention, TensorView output)
    {
        CheckHeads(query, attention.QueryHeads * attention.HeadSize, nameof(query));
        CheckHeads(output, attention.QueryHeads * attention.ValueHeadSize, nameof(output));
        CheckLayer(cache, layer);
        KvCacheLayout layout = cache.Layout;
        Require(
            layout.KeyHeads == attention.KeyHeads && layout.KeySize == attention.HeadSize && layout.ValueSize == attention.ValueHeadSize
            && attention.QueryHeads % attention.KeyHeads == 0, nameof(attention), $"{attention} with {layout}");
        Require(query.Rows == output.Rows, nameof(output), $"{query.Rows} rows");
        CheckIndices(batch.QueryOffsets, batch.Sequences + 1, nameof(batch));
        CheckIndices(batch.ContextLengths, batch.Sequences, nameof(batch));
        CheckLive(batch.PageTable, nameof(batch));
        Require(
            batch.PageTable.Type == ElementType.Int32 && batch.PageTable.Rows == batch.Sequences
            && (long)batch.PageTable.Columns * layout.PageSize >= batch.MaxContextLength,
            nameof(batch), $"page table {Describe(batch.PageTable)} for {batch.Sequences} sequences of {batch.MaxContextLength} tokens");
        if (batch.VisibleEnds is { } ends)
            CheckIndices(ends, query.Rows, nameof(batch));
        if (query.Rows > 0)
            OnPagedAttention(query, cache, layer, batch, attention, output);
    }

    /// <summary>
    /// Attention of every query over all keys of its own segment (or those up to itself when causal), without a cache:
    /// for vision towers and encoders.
    /// </summary>
    /// <param name="query">[tokens, query heads * head size], activation type.</param>
    /// <param name="keys">[tokens, key heads * head size], activation type.</param>
    /// <param name="values">[tokens, key heads * value size], activation type.</param>
    /// <param name="segments">Segments; rows outside all of them are not written.</param>
    /// <param name="attention">Heads and form.</param>
    /// <param name="causal">Whether a query sees only keys up to itself.</param>
    /// <param name="output">[tokens, query heads * value size], activation type.</param>
    public void SegmentAttention(
        TensorView query, TensorView keys, TensorView values, in SegmentBatch segments, in AttentionParameters attention, bool causal, TensorView output)
    {
        CheckHeads(query, attention.QueryHeads * attention.HeadSize, nameof(query));
        CheckHeads(keys, attention.KeyHeads * attention.HeadSize, nameof(keys));
        CheckHeads(values, attention.KeyHeads * attention.ValueHeadSize, nameof(values));
        CheckHeads(output, attention.QueryHeads * attention.ValueHeadSize, nameof(output));
        Require(
            query.Rows == keys.Rows && query.Rows == values.Rows && query.Rows == output.Rows && attention.QueryHeads % attention.KeyHeads == 0,
            nameof(keys), $"rows {query.Rows}, {keys.Rows}, {values.Rows}, {output.Rows}");
        CheckIndices(segments.Offsets, segments.Count + 1, nameof(segments));
        if (query.Rows > 0)
            OnSegmentAttention(query, keys, values, segments, attention, causal, output);
    }

    /// <summary>output = act(gate) * up.</summary>
    /// <param name="gate">[tokens, width], activation type.</param>
    /// <param name="up">[tokens, width], activation type.</param>
    /// <param name="output">[tokens, width], activation type; may be one of the inputs.</param>
    /// <param name="kind">The activation.</param>
    /// <param name="parameter">The clamp of <see cref="ActivationKind.ClampedSwiglu"/>; else unused.</param>
    public void GatedActivation(TensorView gate, TensorView up, TensorView output, ActivationKind kind, float parameter = 0)
    {
        CheckPair(gate, output);
        CheckPair(up, output);
        if (gate.Rows > 0)
            OnGatedActivation(gate, up, output, kind, parameter);
    }

    /// <summary>output = act(input).</summary>
    /// <param name="input">[tokens, width], activation type or float32.</param>
    /// <param name="output">The same shape and type; may be the input.</param>
    /// <param name="kind">The activation.</param>
    /// <param name="parameter">The cap of <see cref="ActivationKind.SoftCap"/>; else unused.</param>
    public void Activation(TensorView input, TensorView output, ActivationKind kind, float parameter = 0)
    {
        CheckElementwise(input, output, nameof(input));
        Require(kind != ActivationKind.ClampedSwiglu, nameof(kind), "it takes a gate and another input");
        if (input.Rows > 0)
            OnActivation(input, output, kind, parameter);
    }

    /// <summary>output = a + scale * b, or output[t] = a[t] + scale * rowScales[t] * b[t].</summary>
    /// <param name="a">[tokens, width], activation type or float32.</param>
    /// <param name="b">The same, or one row that is added to all.</param>
    /// <param name="output">The same as a; may be one of the inputs.</param>
    /// <param name="scale">Multiplies b.</param>
    /// <param name="rowScales">float32 [tokens, 1]: multiplies each row of b, such as the weight of a token's expert; or null.</param>
    public void Add(TensorView a, TensorView b, TensorView output, float scale = 1, TensorView? rowScales = null)
    {
        CheckElementwise(a, output, nameof(a));
        CheckBroadcast(b, output, nameof(b));
        if (rowScales is { } scales)
        {
            CheckLive(scales, nameof(rowScales));
            Require(
                scales.Type == ElementType.Float32 && scales.Rows == output.Rows && scales.Columns == 1, nameof(rowScales),
                $"expected float32 [{output.Rows}, 1], found {Describe(scales)}");
        }

        if (a.Rows > 0)
            OnAdd(a, b, output, scale, rowScales);
    }

    /// <summary>output = a * b.</summary>
    /// <param name="a">[tokens, width], activation type or float32.</param>
    /// <param name="b">The same, or one row for all.</param>
    /// <param name="output">The same as a; may be one of the inputs.</param>
    public void Multiply(TensorView a, TensorView b, TensorView output)
    {
        CheckElementwise(a, output, nameof(a));
        CheckBroadcast(b, output, nameof(b));
        if (a.Rows > 0)
            OnMultiply(a, b, output);
    }

    /// <summary>output[i] = source[indices[i]].</summary>
    /// <param name="source">[rows, width], any type.</param>
    /// <param name="indices">int32 [1, count]; inside the source.</param>
    /// <param name="output">[count, width], the same type; must not overlap the source.</param>
    public void GatherRows(TensorView source, TensorView indices, TensorView output)
    {
        CheckLive(source, nameof(source));
        CheckLive(output, nameof(output));
        Require(source.Type == output.Type && source.Columns == output.Columns, nameof(output), $"{Describe(source)} to {Describe(output)}");
        CheckIndices(indices, output.Rows, nameof(indices));
        if (output.Rows > 0)
            OnGatherRows(source, indices, output);
    }

    /// <summary>output[indices[i]] = source[i], or added to it. Indices are distinct.</summary>
    /// <param name="source">[count, width], activation type or float32.</param>
    /// <param name="indices">int32 [1, count]; inside the output.</param>
    /// <param name="output">[rows, width], the same type.</param>
    /// <param name="accumulate">Whether rows are added.</param>
    public void ScatterRows(TensorView source, TensorView indices, TensorView output, bool accumulate = false)
    {
        CheckLive(source, nameof(source));
        CheckLive(output, nameof(output));
        Require(source.Type == output.Type && source.Columns == output.Columns, nameof(output), $"{Describe(source)} to {Describe(output)}");
        CheckIndices(indices, source.Rows, nameof(indices));
        if (source.Rows > 0)
            OnScatterRows(source, indices, output, accumulate);
    }

    /// <summary>The largest values of each row, largest first; of equal ones the lower column first.</summary>
    /// <param name="input">float32 [rows, width]; no NaN.</param>
    /// <param name="columns">int32 [rows, k]: where they are.</param>
    /// <param name="values">float32 [rows, k].</param>
    public void TopK(TensorView input, TensorView columns, TensorView values)
    {
        CheckLive(input, nameof(input));
        CheckLive(columns, nameof(columns));
        CheckLive(values, nameof(values));
        Require(
            input.Type == ElementType.Float32 && columns.Type == ElementType.Int32 && values.Type == ElementType.Float32
            && columns.Rows == input.Rows && values.Rows == input.Rows && columns.Columns == values.Columns && columns.Columns <= input.Columns,
            nameof(input), $"{Describe(input)} to {Describe(columns)} and {Describe(values)}");
        if (input.Rows > 0 && columns.Columns > 0)
            OnTopK(input, columns, values);
    }

    /// <summary>output = source, with a cast where both are floats of different types. Must not overlap.</summary>
    public void Copy(TensorView source, TensorView output)
    {
        CheckLive(source, nameof(source));
        CheckLive(output, nameof(output));
        Require(
            source.Rows == output.Rows && source.Columns == output.Columns
            && (source.Type == output.Type || (source.Type.IsFloat() && output.Type.IsFloat())),
            nameof(output), $"{Describe(source)} to {Describe(output)}");
        if (source.Length > 0)
            OnCopy(source, output);
    }

    /// <summary>Sets every element of a float tensor.</summary>
    public void Fill(TensorView output, float value)
    {
        CheckLive(output, nameof(output));
        Require(output.Type.IsFloat(), nameof(output), "a float type");
        if (output.Length > 0)
            OnFill(output, value);
    }

    /// <summary>Implements <see cref="Embed"/>.</summary>
    protected abstract void OnEmbed(TensorView ids, DeviceWeight table, TensorView output, float scale);

    /// <summary>Implements <see cref="Linear"/>.</summary>
    protected abstract void OnLinear(
        TensorView input, DeviceWeight weight, TensorView output, TensorView? bias, bool accumulate, ExpertGroups? experts);

    /// <summary>Implements <see cref="RmsNorm"/>.</summary>
    protected abstract void OnRmsNorm(TensorView input, TensorView weight, TensorView output, float epsilon, TensorView? residual);

    /// <summary>Implements <see cref="LayerNorm"/>.</summary>
    protected abstract void OnLayerNorm(TensorView input, TensorView weight, TensorView? bias, TensorView output, float epsilon);

    /// <summary>Implements <see cref="RopeAngles"/>.</summary>
    protected abstract void OnRopeAngles(TensorView positions, RopeFrequencies frequencies, TensorView angles);

    /// <summary>Implements <see cref="Rope"/>.</summary>
    protected abstract void OnRope(TensorView heads, int headSize, RopeArguments rope);

    /// <summary>Implements <see cref="KvWrite"/>.</summary>
    protected abstract void OnKvWrite(TensorView keys, TensorView values, KvCache cache, int layer, TensorView slots);

    /// <summary>Implements <see cref="PagedAttention"/>.</summary>
    protected abstract void OnPagedAttention(
        TensorView query, KvCache cache, int layer, in PagedBatch batch, in AttentionParameters attention, TensorView output);

    /// <summary>Implements <see cref="SegmentAttention"/>.</summary>
    protected abstract void OnSegmentAttention(
        TensorView query, TensorView keys, TensorView values, in SegmentBatch segments, in AttentionParameters attention, bool causal, TensorView output);

    /// <summary>Implements <see cref="GatedActivation"/>.</summary>
    protected abstract void OnGatedActivation(TensorView gate, TensorView up, TensorView output, ActivationKind kind, float parameter);

    /// <summary>Implements <see cref="Activation"/>.</summary>
    protected abstract void OnActivation(TensorView input, TensorView output, ActivationKind kind, float parameter);

    /// <summary>Implements <see cref="Add"/>.</summary>
    protected abstract void OnAdd(TensorView a, TensorView b, TensorView output, float scale, TensorView? rowScales);

    /// <summary>Implements <see cref="Multiply"/>.</summary>
    protected abstract void OnMultiply(TensorView a, TensorView b, TensorView output);

    /// <summary>Implements <see cref="GatherRows"/>.</summary>
    protected abstract void OnGatherRows(TensorView source, TensorView indices, TensorView output);

    /// <summary>Implements <see cref="ScatterRows"/>.</summary>
    protected abstract void OnScatterRows(TensorView source, TensorView indices, TensorView output, bool accumulate);

    /// <summary>Implements <see cref="TopK"/>.</summary>
    protected abstract void OnTopK(TensorView input, TensorView columns, TensorView values);

    /// <summary>Implements <see cref="Copy"/>.</summary>
    protected abstract void OnCopy(TensorView source, TensorView output);

    /// <summary>Implements <see cref="Fill"/>.</summary>
    protected abstract void OnFill(TensorView output, float value);
}
