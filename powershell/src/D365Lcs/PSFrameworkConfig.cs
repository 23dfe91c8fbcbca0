using Microsoft.Win32;

namespace TokenKit;

/// <summary>Where PSFramework, and so d365fo.tools, keeps the settings of this user.</summary>
internal static class PSFrameworkConfig
{
    internal const string RegistryKey = @"SOFTWARE\Microsoft\WindowsPowerShell\PSFramework\Config\Default";

    /// <summary>The file on other systems than Windows.</summary>
    internal static string DefaultFile
    {
        get
        {
            string? folder = Environment.GetEnvironmentVariable("XDG_CONFIG_HOME");
            if (string.IsNullOrEmpty(folder))
            {
                folder = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".config");
            }
            return Path.Combine(folder, "PowerShell", "PSFramework", "psf_config.json");
        }
    }

    /// <summary>The values in the registry of Windows: full names, and texts with their types in front. Nothing elsewhere.</summary>
    internal static IReadOnlyList<(string Name, string Text)> ReadRegistry()
    {
        if (!OperatingSystem.IsWindows())
        {
            return [];
        }
        using RegistryKey? key = Registry.CurrentUser.OpenSubKey(RegistryKey);
        var values = new List<(string Name, string Text)>();
        foreach (string name in key?.GetValueNames() ?? [])
        {
            values.Add((name, key!.GetValue(name) as string ?? ""));
        }
        return values;
    }
}
