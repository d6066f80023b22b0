using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>An activation function as a type, so that the JIT makes a loop of its own for each.</summary>
internal interface IActivation
{
    /// <summary>act(x); the parameter is the cap of <see cref="ActivationKind.SoftCap"/>.</summary>
    static abstract TVector Apply<TSimd, TVector>(TVector x, TVector parameter) where TSimd : IFloatSimd<TVector> where TVector : unmanaged;

    /// <summary>What the result is multiplied by where it gates another input: that input itself, except in <see cref="ActivationKind.ClampedSwiglu"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static virtual TVector Up<TSimd, TVector>(TVector up, TVector parameter) where TSimd : IFloatSimd<TVector> where TVector : unmanaged => up;
}

/// <inheritdoc cref="ActivationKind.Silu"/>
internal readonly struct Silu : IActivation
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x, TVector parameter) where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
        TSimd.Multiply(x, SimdMath.Sigmoid<TSimd, TVector>(x));
}

/// <inheritdoc cref="ActivationKind.Gelu"/>
internal readonly struct Gelu : IActivation
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x, TVector parameter) where TSimd : IFloatSimd<TVector> where TVector : unmanaged
    {
        TVector erf = SimdMath.Erf<TSimd, TVector>(TSimd.Multiply(x, TSimd.Broadcast(0.70710678f)));
        return TSimd.Multiply(TSimd.Multiply(TSimd.Broadcast(0.5f), x), TSimd.Add(TSimd.Broadcast(1f), erf));
    }
}

/// <inheritdoc cref="ActivationKind.GeluTanh"/>
internal readonly struct GeluTanh : IActivation
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x, TVector parameter) where TSimd : IFloatSimd<TVector> where TVector : unmanaged
    {
        TVector cube = TSimd.Multiply(TSimd.Multiply(x, x), x);
        TVector inner = TSimd.Multiply(TSimd.Broadcast(0.79788456f), TSimd.MultiplyAdd(cube, TSimd.Broadcast(0.044715f), x));
        return TSimd.Multiply(
            TSimd.Multiply(TSimd.Broadcast(0.5f), x), TSimd.Add(TSimd.Broadcast(1f), SimdMath.Tanh<TSimd, TVector>(inner)));
    }
}

/// <inheritdoc cref="ActivationKind.QuickGelu"/>
internal readonly struct QuickGelu : IActivation
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x, TVector parameter) where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
        TSimd.Multiply(x, SimdMath.Sigmoid<TSimd, TVector>(TSimd.Multiply(x, TSimd.Broadcast(1.702f))));
}

/// <inheritdoc cref="ActivationKind.Sigmoid"/>
internal readonly struct Sigmoid : IActivation
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x, TVector parameter) where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
        SimdMath.Sigmoid<TSimd, TVector>(x);
}

/// <inheritdoc cref="ActivationKind.Relu"/>
internal readonly struct Relu : IActivation
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x, TVector parameter) where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
        TSimd.Max(TSimd.Broadcast(0), x);
}

/// <inheritdoc cref="ActivationKind.ClampedSwiglu"/>
internal readonly struct ClampedSwiglu : IActivation
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x, TVector parameter) where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
        QuickGelu.Apply<TSimd, TVector>(TSimd.Min(x, parameter), parameter);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Up<TSimd, TVector>(TVector up, TVector parameter) where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
        TSimd.Add(TSimd.Broadcast(1), TSimd.Max(TSimd.Subtract(TSimd.Broadcast(0), parameter), TSimd.Min(up, parameter)));
}

/// <inheritdoc cref="ActivationKind.SoftCap"/>
internal readonly struct SoftCap : IActivation
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x, TVector parameter) where TSimd : IFloatSimd<TVector> where TVector : unmanaged =>
        TSimd.Multiply(parameter, SimdMath.Tanh<TSimd, TVector>(TSimd.Divide(x, parameter)));
}
