namespace TokenKit;

/// <summary>
/// Whether the cmdlets with <c>-EnableException</c> throw when it is not given. As in d365fo.tools this is a setting of
/// the process.
/// </summary>
internal static class D365Exceptions
{
    private static volatile bool enabled;

    internal static bool Enabled
    {
        get => enabled;
        set => enabled = value;
    }
}
