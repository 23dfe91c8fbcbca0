using System.Management.Automation;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>Takes over the LCS configuration that d365fo.tools keeps. It stays there, too.</summary>
[Cmdlet(VerbsData.Import, "D365LcsApiConfig", SupportsShouldProcess = true, HelpUri = "https://github.com/tokenkit/tokenkit/blob/main/powershell/docs/Import-D365LcsApiConfig.md")]
[OutputType(SettingType)]
public sealed class ImportD365LcsApiConfig : TokenKitCmdlet
{
    private const string SettingType = "TokenKit.LcsApiSetting";

    /// <summary>A <c>psf_config.json</c> or an export of the registry; where d365fo.tools keeps it for this user when absent.</summary>
    [Parameter(Position = 0)]
    public string? Path { get; set; }

    /// <summary>Keeps the values for this process only.</summary>
    [Parameter]
    public SwitchParameter Temporary { get; set; }

    /// <inheritdoc/>
    private protected override void Process()
    {
        (string source, string? file, IReadOnlyList<(string Name, string Text)> registry) = Source();
        LcsImport preview = Import(file, registry, dryRun: true);
        foreach (LcsRefused entry in preview.refused)
        {
            WriteWarning($"{entry.name} is not taken over: {entry.reason}");
        }
        if (preview.found.Count == 0)
        {
            throw Failures.Invalid($"There is no LCS configuration of d365fo.tools in {source}.", "invalid_import");
        }
        string names = string.Join(", ", preview.found.Select(setting => setting.name));
        if (ShouldProcess(source, $"Import {names}"))
        {
            Import(file, registry, dryRun: false).found.ForEach(setting => WriteObject(Shape(setting)));
        }
    }

    private static PSObject Shape(LcsImported setting) =>
        Output.Make(SettingType, ("Name", setting.name), ("Value", setting.shown), ("Changed", setting.changed));

    private (string Name, string? File, IReadOnlyList<(string Name, string Text)> Registry) Source()
    {
        if (!string.IsNullOrEmpty(Path))
        {
            string path = Secrets.FilePath(this, Path, "invalid_import");
            return (path, path, []);
        }
        if (OperatingSystem.IsWindows())
        {
            return ($@"HKCU:\{PSFrameworkConfig.RegistryKey}", null, PSFrameworkConfig.ReadRegistry());
        }
        return (PSFrameworkConfig.DefaultFile, PSFrameworkConfig.DefaultFile, []);
    }

    private LcsImport Import(string? file, IReadOnlyList<(string Name, string Text)> registry, bool dryRun) => Await(Start(
        call => new LcsImportRequest
        {
            store = StoreEnvironment.Options(call),
            path = file,
            registry = [.. registry.Select(entry => new Native.Parameter { name = entry.Name, content = call.Put(entry.Text) })],
            temporary = Temporary,
            dry_run = dryRun,
        },
        (operation, request) => operation.LcsImport(request.Wire(), Cancellation),
        wire => wire.Unwire(),
        "import"));
}
