using TokenKit.Native;

namespace TokenKit;

/// <summary>Where TokenKit keeps things, and how they are protected.</summary>
public sealed class StoreView
{
    internal StoreView(StoreStatus status)
    {
        Path = status.path;
        Exists = status.exists;
        Backend = status.backend;
        Sealed = status.is_sealed;
        KeyId = status.key_id;
        Readable = status.readable;
        Note = status.note;
        MovingTo = status.moving_to;
        Sections = [.. status.sections.Select(section => new StoreSectionView(section))];
        Damaged = [.. status.damaged];
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Whether it is there. If not, the rest is what it would be.</summary>
    public bool Exists { get; }

    /// <summary>Where the key is: <c>keyring</c>, <c>key</c> (in the environment), or <c>file</c>, which is none.</summary>
    public string Backend { get; }

    /// <summary>Whether the files are encrypted.</summary>
    public bool Sealed { get; }

    /// <summary>A name of the key, which tells nothing about it.</summary>
    public string? KeyId { get; }

    /// <summary>Whether the key is there.</summary>
    public bool Readable { get; }

    /// <summary>Why not, or why the keyring is not used.</summary>
    public string? Note { get; }

    /// <summary>Where a move goes that was begun and not finished, or <c>null</c>.</summary>
    public string? MovingTo { get; }

    /// <summary>The sections.</summary>
    public IReadOnlyList<StoreSectionView> Sections { get; }

    /// <summary>Damaged files that were set aside.</summary>
    public IReadOnlyList<string> Damaged { get; }
}

/// <summary>A section of the store.</summary>
public sealed class StoreSectionView
{
    internal StoreSectionView(StoreSectionStatus section)
    {
        Name = section.name;
        Size = (long)section.size;
        Modified = DateTimeOffset.FromUnixTimeMilliseconds(section.modified_ms).LocalDateTime;
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>The size of its file in bytes.</summary>
    public long Size { get; }

    /// <summary>When it was written, in local time.</summary>
    public DateTime Modified { get; }

    /// <summary>Its name.</summary>
    public override string ToString() => Name;
}
