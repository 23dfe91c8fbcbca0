using System.Globalization;
using System.Management.Automation;
using System.Numerics;

namespace TokenKit.Commands;

/// <summary>Converts between a time and seconds since 1970, as the claims of tokens hold them.</summary>
[Cmdlet(VerbsData.Convert, "UnixTime", DefaultParameterSetName = FromDateTimeSet, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Convert-UnixTime.md")]
[Alias("Get-UnixTime")]
[OutputType(typeof(long), ParameterSetName = [FromDateTimeSet])]
[OutputType(typeof(DateTime), ParameterSetName = [FromEpochSet])]
#pragma warning disable CA1707, IDE1006 // The parameters have the names that scripts know.
public sealed class ConvertUnixTime : PSCmdlet
{
    private const string FromDateTimeSet = "fromDateTime";
    private const string FromEpochSet = "fromEpoch";

    /// <summary>The time; now when absent.</summary>
    [Parameter(ParameterSetName = FromDateTimeSet, Position = 0, ValueFromPipeline = true)]
    public DateTime date { get; set; } = DateTime.Now;

    /// <summary>Seconds since 1970-01-01 in UTC.</summary>
    [Parameter(ParameterSetName = FromEpochSet, Position = 0, ValueFromPipeline = true)]
    [WholeNumber]
    public long epoch { get; set; }
#pragma warning restore CA1707, IDE1006

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == FromDateTimeSet)
        {
            WriteObject(new DateTimeOffset(date).ToUnixTimeSeconds());
            return;
        }
        try
        {
            WriteObject(DateTimeOffset.FromUnixTimeSeconds(epoch).LocalDateTime);
        }
        catch (ArgumentOutOfRangeException e)
        {
            WriteError(new ErrorRecord(e, "epoch_out_of_range", ErrorCategory.InvalidArgument, epoch));
        }
    }
}

/// <summary>
/// Makes every number an <see cref="long"/> before PowerShell looks for the parameter that fits: a number of another
/// type would fit a <see cref="DateTime"/> as well, as 100-nanosecond ticks.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class WholeNumberAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        try
        {
            return Secrets.Unwrap(inputData) switch
            {
                byte or sbyte or short or ushort or int or uint or ulong or float or double or decimal =>
                    (long)Math.Floor(Convert.ToDecimal(Secrets.Unwrap(inputData), CultureInfo.InvariantCulture)),
                BigInteger number => (long)number,
                _ => inputData,
            };
        }
        catch (OverflowException)
        {
            return inputData;
        }
    }
}
