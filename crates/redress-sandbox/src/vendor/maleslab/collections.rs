//! Collections of faces.
//!
//! The text of an `image` determines the result of face detection: `no_face`, `two_faces`, `blurry`,
//! `spoof`. Any other text is a good image of one live face.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Answer, AppState, Maleslab, refuse, required};
use crate::ids::Ids;
use crate::outcome::{Problem, Success};
use crate::shared::Shared;

/// The limits of the sandbox; the vendor publishes no numbers.
const MAX_COLLECTIONS: usize = 1000;
const MAX_FACES: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Collections {
    ids: Ids,
    records: Shared<BTreeMap<String, Collection>>,
}

#[derive(Debug)]
struct Collection {
    id: String,
    name: String,
    faces: Vec<Face>,
}

#[derive(Debug)]
struct Face {
    id: String,
    external: Option<String>,
}

impl Collections {
    pub(super) fn len(&self) -> usize {
        self.records.lock().len()
    }

    pub(super) fn faces(&self) -> usize {
        self.records.lock().values().map(|collection| collection.faces.len()).sum()
    }

    /// Runs an action on one collection.
    fn with<T>(&self, id: &str, action: impl FnOnce(&mut Collection) -> Result<T, Problem>) -> Result<T, Problem> {
        let mut records = self.records.lock();
        action(records.get_mut(id).ok_or_else(|| refuse("COLLECTION_NOT_FOUND"))?)
    }
}

impl Collection {
    fn view(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "face_count": self.faces.len() })
    }

    /// Finds a face by its own or by its external id.
    fn position(&self, id: &str) -> Result<usize, Problem> {
        let found = self.faces.iter().position(|face| face.id == id || face.external.as_deref() == Some(id));
        found.ok_or_else(|| refuse("FACE_NOT_FOUND"))
    }
}

impl Face {
    fn view(&self) -> Value {
        json!({ "face_id": self.id, "external_id": self.external })
    }
}

pub(super) fn router() -> Router<Arc<Maleslab>> {
    Router::new()
        .route("/api/v1/collections", post(create).get(list))
        .route("/api/v1/collections/{id}", get(show).delete(remove))
        .route("/api/v1/collections/{id}/faces", post(add_face))
        .route("/api/v1/collections/{id}/faces/{face_id}", get(show_face).delete(remove_face))
        .route("/api/v1/collections/{id}/identify", post(identify))
}

async fn create(State(maleslab): AppState, body: Bytes) -> Answer {
    let fields = required(&body, &["name"])?;
    let collections = &maleslab.collections;
    let mut records = collections.records.lock();
    if records.len() >= MAX_COLLECTIONS {
        return Err(refuse("COLLECTION_LIMIT_REACHED"));
    }
    let name = fields.text("name").unwrap_or_default().to_owned();
    let collection = Collection { id: collections.ids.uuid(), name, faces: Vec::new() };
    let view = collection.view();
    records.insert(collection.id.clone(), collection);
    Ok(Success::created(view))
}

async fn list(State(maleslab): AppState) -> Answer {
    let records = maleslab.collections.records.lock();
    Ok(Success::ok(records.values().map(Collection::view).collect()))
}

async fn show(State(maleslab): AppState, Path(id): Path<String>) -> Answer {
    maleslab.collections.with(&id, |collection| Ok(Success::ok(collection.view())))
}

async fn remove(State(maleslab): AppState, Path(id): Path<String>) -> Answer {
    let removed = maleslab.collections.records.lock().remove(&id);
    removed.map(|_| Success::ok(json!({ "id": id, "deleted": true }))).ok_or_else(|| refuse("COLLECTION_NOT_FOUND"))
}

async fn add_face(State(maleslab): AppState, Path(id): Path<String>, body: Bytes) -> Answer {
    let fields = required(&body, &["image"])?;
    let collections = &maleslab.collections;
    collections.with(&id, |collection| {
        look(fields.text("image").unwrap_or_default())?;
        let external = fields.text("external_id");
        if external.is_some() && collection.faces.iter().any(|face| face.external.as_deref() == external) {
            return Err(refuse("DUPLICATE_EXTERNAL_ID"));
        }
        if collection.faces.len() >= MAX_FACES {
            return Err(refuse("FACE_LIMIT_REACHED"));
        }
        let face = Face { id: collections.ids.uuid(), external: external.map(str::to_owned) };
        let view = face.view();
        collection.faces.push(face);
        Ok(Success::created(view))
    })
}

async fn show_face(State(maleslab): AppState, Path((id, face)): Path<(String, String)>) -> Answer {
    maleslab.collections.with(&id, |collection| {
        let index = collection.position(&face)?;
        Ok(Success::ok(collection.faces[index].view()))
    })
}

async fn remove_face(State(maleslab): AppState, Path((id, face)): Path<(String, String)>) -> Answer {
    maleslab.collections.with(&id, |collection| {
        let face = collection.faces.remove(collection.position(&face)?);
        Ok(Success::ok(json!({ "face_id": face.id, "deleted": true })))
    })
}

/// Returns every face of the collection, with the best score for the oldest.
async fn identify(State(maleslab): AppState, Path(id): Path<String>, body: Bytes) -> Answer {
    let fields = required(&body, &["image"])?;
    maleslab.collections.with(&id, |collection| {
        look(fields.text("image").unwrap_or_default())?;
        let matches: Vec<Value> = collection.faces.iter().map(Face::view).collect();
        Ok(Success::ok(json!({ "matches": matches })))
    })
}

fn look(image: &str) -> Result<(), Problem> {
    match image {
        "no_face" => Err(refuse("FACE_NOT_DETECTED")),
        "two_faces" => Err(refuse("MULTIPLE_FACES")),
        "blurry" => Err(refuse("FACE_QUALITY_TOO_LOW")),
        "spoof" => Err(refuse("LIVENESS_CHECK_FAILED")),
        _ => Ok(()),
    }
}
