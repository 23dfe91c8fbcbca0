using System.Globalization;
using System.Management.Automation;

namespace TokenKit;

/// <summary>
/// Reads a number, or a text that holds one, as seconds: PowerShell itself takes a number for 100-nanosecond ticks.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class DurationAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object? value = Secrets.Unwrap(inputData);
        double? seconds = value switch
        {
            TimeSpan time => time.TotalSeconds,
            byte or sbyte or short or ushort or int or uint or long or ulong or float or double or decimal =>
                Convert.ToDouble(value, CultureInfo.InvariantCulture),
            string text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) => number,
            string text when TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out TimeSpan time) => time.TotalSeconds,
            _ => null,
        };
        return seconds is > 0 and < int.MaxValue
            ? TimeSpan.FromSeconds(seconds.Value)
            : throw new ArgumentTransformationMetadataException("A time is a positive number of seconds, or a TimeSpan.");
    }
}
